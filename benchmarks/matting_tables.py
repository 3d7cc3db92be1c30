"""The tables of benchmarks/matting.py."""

from __future__ import annotations

from typing import Any

from report import machine

#: Figures of one picture or of one case, by name.
Row = dict[str, Any]


def markdown(results: dict[str, Any]) -> str:
    """The page of all results there are."""
    lines = ["# Mattes", "", *introduction(), ""]
    for suffix in ("", " (all threads)"):
        for trimap in ("trimap1", "trimap2"):
            key = trimap + suffix
            if key in results:
                others = results.get(f"others{trimap[-1]}{suffix}", [])
                lines += quality(key, results[key], others)
    lines += scaling_table(results)
    lines += live_table(results)
    return "\n".join(lines) + "\n"


def introduction() -> list[str]:
    return [
        f"Machine: {machine('pymatting')}",
        "Photographs, trimaps and true mattes of alphamatting.com (those in the data "
        "folder). Seconds are medians for the alphas: processor time with one thread, "
        "wall-clock where all threads are said; errors are means over the unknown "
        "region as that site defines them (SAD, Grad, Conn in thousands). "
        "Made by `benchmarks/matting.py`.",
    ]


def quality(title: str, rows: list[Row], others: list[Row]) -> list[str]:
    """Means of every method, and closed form picture by picture."""
    lines = [f"## {title}, {len(rows)} photographs", ""]
    lines += [*mean_table(rows, others), "", against_pymatting(rows)]
    if others:
        lines += ["", flow_against_closed_form(rows, others)]
    return [*lines, "", *picture_table(rows), ""]


def mean_table(rows: list[Row], others: list[Row]) -> list[str]:
    import numpy as np

    lines = [
        "| method | SAD | MSE | Grad | Conn | seconds |",
        "|---|---|---|---|---|---|",
    ]
    entries = [("closed_form", rows, "ours"), ("pymatting cf", rows, "pymatting")]
    for label in ("knn", "pymatting knn", "information_flow"):
        if others and label in others[0]:
            entries.append((label, others, label))
    for label, source, key in entries:
        mean = {k: np.mean([row[key][k] for row in source]) for k in source[0][key]}
        lines.append(
            f"| {label} | {mean['SAD']:.3f} | {mean['MSE']:.4f} | {mean['Grad']:.2f} | "
            f"{mean['Conn']:.3f} | {mean['seconds']:.3f} |"
        )
    return lines


def against_pymatting(rows: list[Row]) -> str:
    import numpy as np

    ours = np.array([row["ours"]["seconds"] for row in rows])
    theirs = np.array([row["pymatting"]["seconds"] for row in rows])
    sad = [np.mean([row[k]["SAD"] for row in rows]) for k in ("ours", "pymatting")]
    return (
        f"closed_form against pymatting cf: {theirs.mean() / ours.mean():.1f} times "
        f"faster in the mean time ({np.mean(theirs / ours):.1f} in the mean of the "
        f"ratios, {np.min(theirs / ours):.1f} to {np.max(theirs / ours):.1f}); SAD "
        f"{100 * (sad[0] / sad[1] - 1):+.2f} %; mean difference of the mattes "
        f"{np.mean([row['difference'] for row in rows]):.1e}."
    )


def flow_against_closed_form(rows: list[Row], others: list[Row]) -> str:
    import numpy as np

    flow = np.array([row["information_flow"]["SAD"] for row in others])
    grad = [row["information_flow"]["Grad"] for row in others]
    base = np.array([row["ours"]["SAD"] for row in rows])
    base_grad = np.mean([row["ours"]["Grad"] for row in rows])
    return (
        f"information_flow against closed_form: SAD {flow.mean() / base.mean():.3f}"
        f", Grad {np.mean(grad) / base_grad:.3f}, worst picture "
        f"{(flow / base).max():.2f} (SAD)."
    )


def picture_table(rows: list[Row]) -> list[str]:
    lines = ["| picture | unknown | closed_form s | pymatting s | SAD | SAD |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['name']} | {100 * row['unknown']:.0f} % | "
            f"{row['ours']['seconds']:.3f} | {row['pymatting']['seconds']:.3f} | "
            f"{row['ours']['SAD']:.3f} | {row['pymatting']['SAD']:.3f} |"
        )
    return lines


def scaling_table(results: dict[str, Any]) -> list[str]:
    lines = ["## Large pictures and scribbles (closed_form)", ""]
    lines += [
        "| case | unknown | seconds | pymatting | peak |",
        "|---|---|---|---|---|",
    ]
    for key, row in results.items():
        if key.partition(" ")[0] not in ("scale2", "scale8", "wide"):
            continue
        theirs = "-"
        if "pymatting" in row:
            ratio = row["pymatting"] / row["ours"]
            theirs = f"{row['pymatting']:.1f} s ({ratio:.1f} times)"
        peak = f"{row['peak_gb']:.2f} GB" if "peak_gb" in row else "-"
        case = f"{row['megapixels']:.2f} MP" + key.partition(" ")[1:][1]
        lines.append(
            f"| {case} | {100 * row['unknown']:.0f} % | {row['ours']:.2f} | {theirs} | "
            f"{peak} |"
        )
    lines.append("")
    lines.append("The peak is that of the whole process, with its libraries.")
    return [*lines, ""]


def live_table(results: dict[str, Any]) -> list[str]:
    if "live" not in results:
        return []
    live = results["live"]
    lines = [f"## Live painting ({live['megapixels']:.2f} MP)", ""]
    lines += [f"Once for a picture: {live['prepare']:.2f} s. After a stroke:", ""]
    lines += ["| trimap | preview ms (worst) | its error | final ms (worst) |"]
    lines += ["|---|---|---|---|"]
    for kind, row in live.items():
        if isinstance(row, dict):
            lines.append(
                f"| {kind} | {1000 * row['preview']:.0f} "
                f"({1000 * row['preview_max']:.0f}) | {row['preview_error']:.4f} | "
                f"{1000 * row['final']:.0f} ({1000 * row['final_max']:.0f}) |"
            )
    return [*lines, ""]

#!/bin/sh
# On a machine without a display, the tests open napari on a virtual one: install Xvfb
# and the libraries that Qt and OpenGL need, or say which line does it.
set -eu
[ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || exit 0
[ "$(uname -s)" = Linux ] || exit 0

packages="xvfb xauth libgl1 libgl1-mesa-dri libegl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libx11-xcb1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-glx0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-shm0 libxcb-sync1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1"

missing=""
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $packages; do
        dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || exit 0
elif command -v xvfb-run >/dev/null 2>&1; then
    exit 0
fi

line="apt-get update && apt-get install -y --no-install-recommends${missing:- $packages}"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing the system libraries for a virtual display:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "There is no display, and a virtual one needs these libraries. Run once:" >&2
    echo "  sudo sh -c '$line'" >&2
    exit 1
fi

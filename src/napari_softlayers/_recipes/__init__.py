"""Recipes: typed accounts of how results were made.

Options, the docks' drawers, the command line, code, records and rerun come from here.
"""

from .options import MATTES, Options, Preparation, checked, options_of, refusal
from .recipe import Frame, Input, Look, Recipe, read_recipe, recipe_of, with_recipe

__all__ = [
    "MATTES",
    "Frame",
    "Input",
    "Look",
    "Options",
    "Preparation",
    "Recipe",
    "checked",
    "options_of",
    "read_recipe",
    "recipe_of",
    "refusal",
    "with_recipe",
]

"""Classes of a page: those of one task, or what the tasks of several recipes have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dsnet.errors import ConfigError


@dataclass
class RecipeClasses:
    """How one recipe's classes are seen.

    `task` is the recipe's conf/<task>.yaml. Every class of it is either a key of `label_map` or in
    `ignored_labels`; another one is an error, so that no utterance goes missing unseen.
    """

    task: str = ""
    label_map: dict[str, str] = field(default_factory=dict)  # class of the task to shared class
    ignored_labels: list[str] = field(default_factory=list)


@dataclass
class SharedClasses:
    """`classes` fixes the order of the shared classes; every recipe has all of them."""

    classes: list[str] = field(default_factory=list)
    recipes: dict[str, RecipeClasses] = field(default_factory=dict)

    @classmethod
    def of_one(cls, recipe: str, task: str, classes: Sequence[str]) -> "SharedClasses":
        """Return the classes of one recipe's task as they are."""
        return cls(list(classes), {recipe: RecipeClasses(task, {name: name for name in classes})})

    def check(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must be two or more different names, found {self.classes}")
        for name, recipe in self.recipes.items():
            where = f"recipes.{name}"
            if not recipe.task:
                raise ValueError(f"{where}: no task; give the name of its conf/<task>.yaml")
            unknown = sorted(set(recipe.label_map.values()) - set(self.classes))
            if unknown:
                raise ValueError(f"{where}.label_map leads to {unknown}, not among the classes")
            unmapped = sorted(set(self.classes) - set(recipe.label_map.values()))
            if unmapped:
                raise ValueError(
                    f"{where}.label_map: no class leads to {unmapped}; a class that a recipe lacks "
                    "is not shared"
                )
            both = sorted(set(recipe.label_map) & set(recipe.ignored_labels))
            if both:
                raise ValueError(f"{where}: {both} stand in label_map and in ignored_labels")

    def of(self, recipe: str) -> RecipeClasses:
        """Return how a recipe's classes are seen.

        Raises:
            ConfigError: it is not named; says what to add.
        """
        if recipe not in self.recipes:
            raise ConfigError(
                f"these shared classes do not name the recipe '{recipe}' (they name "
                f"{', '.join(self.recipes) or 'none'}); choose another --task, or add to 'recipes' "
                "in egs/cross_corpus/conf/<task>.yaml:\n"
                f"  {recipe}: {{task: NAME, label_map: {{CLASS: SHARED CLASS, ...}}, "
                "ignored_labels: [CLASS, ...]}"
            )
        return self.recipes[recipe]

    def check_task(self, recipe: str, task_classes: Sequence[str]) -> None:
        """Make sure that every class of a recipe's task is declared, and no other.

        Raises:
            ConfigError: says which class is not.
        """
        declared = self.of(recipe)
        both = {*declared.label_map, *declared.ignored_labels}
        undeclared = [name for name in task_classes if name not in both]
        if undeclared:
            raise ConfigError(
                f"recipes.{recipe}: class '{undeclared[0]}' of its task {declared.task} is neither "
                "in label_map nor in ignored_labels; add it to one of them"
            )
        strange = sorted(both - set(task_classes))
        if strange:
            raise ConfigError(
                f"recipes.{recipe}: '{strange[0]}' is no class of its task {declared.task}, which "
                f"has {', '.join(task_classes)}"
            )

"""From a version's templates to the messages that a model gets."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from assay.core.errors import FieldFault
from assay.core.template_types import Uses
from assay.core.templates import Template, TemplateFault, compile_template
from assay.core.text import text_fault
from assay.gateway.types import Message
from assay.playground.prompts.models import PromptType


class PromptRenderer:
    """The templates of one version, compiled once; `render` fills them in as often as needed.

    Attributes:
        variables: All names the templates take from outside.
        required: Those that a rendering needs (best effort, see `Template.required`).
    """

    def __init__(
        self,
        type: str,  # noqa: A002  # the version's own name for it
        template_text: str | None,
        template_messages: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        """Compile the templates.

        Args:
            type: "text", which makes one message of the user, or "chat".
            template_text: The template, for "text".
            template_messages: The messages with templates in their content, for "chat": a text,
                or a list of content parts, in which every text is a template.

        Raises:
            TemplateFault: Its `errors` name each faulty place, such as
                `template_messages[1].content`.
        """
        if type == PromptType.text:
            messages: Sequence[Mapping[str, Any]] = [{"role": "user", "content": template_text}]
            places = ["template_text"]
        else:
            messages = template_messages or []
            places = [f"template_messages[{index}].content" for index in range(len(messages))]
        compiler = _Compiler()
        contents = [
            compiler.compile(message["content"], place)
            for message, place in zip(messages, places, strict=True)
        ]
        if compiler.faults:
            raise TemplateFault("The templates cannot be used.", errors=compiler.faults)
        self.variables = frozenset[str]().union(*(t.variables for t in compiler.templates))
        self.required = frozenset[str]().union(*(t.required for t in compiler.templates))
        self._templates = compiler.templates
        # What has no markup keeps its identity and is handed out as it is, again and again.
        self._plan = [
            (cast("Message", message), None if content is message["content"] else content)
            for message, content in zip(messages, contents, strict=True)
        ]

    @cached_property
    def uses(self) -> Uses:
        """How the templates use their variables."""
        uses = Uses()
        for template in self._templates:
            uses.add(template.uses)
        return uses

    def render(self, variables: Mapping[str, object]) -> list[Message]:
        """The messages with the variables filled in; they are to be read, not changed.

        Raises:
            TemplateFault: A variable is missing, a template cannot be filled in, or makes a text
                that cannot be sent or stored.
        """
        return [
            message
            if content is None
            else {"role": message["role"], "content": _filled(content, variables)}
            for message, content in self._plan
        ]


class _Compiler:
    """Compiles every text in a content, and gathers the templates and faults met."""

    def __init__(self) -> None:
        self.templates: list[Template] = []
        self.faults: list[FieldFault] = []

    def compile(self, node: Any, place: str) -> Any:
        """`node` with templates in place of texts; `node` itself where nothing is to fill in."""
        if isinstance(node, str):
            return self._compile_text(node, place)
        if isinstance(node, dict):
            keys = [*node]
            values = self._compile_all(node.values(), (f"{place}.{key}" for key in keys))
            return node if values is None else dict(zip(keys, values, strict=True))
        if isinstance(node, list):
            values = self._compile_all(node, (f"{place}[{index}]" for index in range(len(node))))
            return node if values is None else values
        return node

    def _compile_all(self, nodes: Any, places: Iterator[str]) -> list[Any] | None:
        compiled = [
            (node, self.compile(node, place)) for node, place in zip(nodes, places, strict=True)
        ]
        if all(after is before for before, after in compiled):
            return None
        return [after for _, after in compiled]

    def _compile_text(self, text: str, place: str) -> Template | str:
        try:
            template = compile_template(text)
        except TemplateFault as fault:
            self.faults.append(FieldFault(place, fault.detail))
            return text
        if template.is_static:
            return text
        self.templates.append(template)
        return template


def _filled(node: Any, variables: Mapping[str, object]) -> Any:
    if isinstance(node, Template):
        text = node.render(variables)
        # The variables are clean; an escape or a filter in the template can make such text.
        if fault := text_fault(text):
            raise TemplateFault(f"The template cannot be filled in: {fault}.")
        return text
    if isinstance(node, dict):
        return {key: _filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, variables) for value in node]
    return node

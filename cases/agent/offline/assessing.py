"""What a case has and what it lacks, measured against its result schema; must not decide what follows."""

import re
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from cases.agent.comparing import fold_letters
from cases.agent.offline.asking import Ask, build_ask, has_meaning
from cases.agent.offline.dates import find_zone
from cases.agent.offline.fields import Found, Gathered, gather, list_sources
from cases.agent.offline.letters import is_derived
from cases.agent.offline.phrases import list_words
from cases.agent.offline.plainness import list_known_words
from cases.agent.offline.questions import list_entries
from cases.agent.offline.reading import Reading, fold
from cases.agent.offline.signals import claims_file, collects_file, waives_file, wants_file
from cases.agent.protocol import CaseView
from cases.agent.schema import ResultSchema, SchemaIsGuidance, compile_result_schema
from cases.agent.wanted import WantedField, humanize

# Words of a request for a file that say nothing about which.
_ANY_FILE = list_words(
    """
    a an the our your their his her its this that for from of on in at to with by as and or any all new current please
    obtain collect get request gather receive secure fetch acquire retrieve procure solicit chase need ask send return
    provide upload attach forward share bring have want wanted received attached enclosed submitted provided
    signed countersigned executed scanned completed filled file files form forms document documents copy copies scan
    scans pdf page pages version attachment reply mail email supplier vendor client customer counterparty
    """
)


@dataclass(frozen=True)
class Facts:
    """One reading of a case; every member is worked out once."""

    view: CaseView

    @cached_property
    def reading(self) -> Reading:
        """The thread, sorted."""
        return Reading(self.view)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The counterparty's time zone, UTC when it is not known."""
        return find_zone(self.view.timezone)

    @cached_property
    def ask(self) -> Ask:
        """The request; a human's answer stands in for an objective that says nothing."""
        return build_ask(find_objective(self.view), self.view)

    @cached_property
    def _compiled(self) -> ResultSchema | SchemaIsGuidance:
        return compile_result_schema(self.view.result_schema)

    @cached_property
    def schema(self) -> ResultSchema | None:
        """The schema to check against, None where there is only guidance."""
        return self._compiled if isinstance(self._compiled, ResultSchema) else None

    @cached_property
    def fields(self) -> tuple[WantedField, ...]:
        """The fields that the schema names."""
        return self._compiled.fields

    @cached_property
    def gathered(self) -> Gathered:
        """What the counterparty's replies and the human answers give, without optional values that do not fit."""
        sources = list_sources(self.reading.replies, self.view.human_answers, self.zone)
        gathered = gather(sources, self.fields, self.schema, self.zone)
        self._observe_files(gathered)
        if self.schema is not None:
            optional = {field.name for field in self.fields if not field.required}
            for fault in self.schema.check(gathered.result):
                if fault.field in optional:
                    found = gathered.values.get(fault.field)
                    if found is not None:
                        gathered.drop(fault.field, str(found.value))
        return gathered

    def _observe_files(self, gathered: Gathered) -> None:
        """Fill in fields like "w9Received", which only a file that came can make true."""
        for field in self.fields:
            if not is_derived(field) or field.name in gathered.values:
                continue
            for reply in self.reading.replies:
                if reply.documents and claims_file(reply):
                    gathered.take(field.name, Found(True, reply.message.message_id, reply.documents[0].name))

    @cached_property
    def faults(self) -> dict[str, str]:
        """What the schema finds wrong with the values there are, by field; "" is the result as a whole."""
        if self.schema is None:
            return {}
        present = self.gathered.values.keys() | {""}
        return {
            fault.field: fault.message for fault in self.schema.check(self.gathered.result) if fault.field in present
        }

    @cached_property
    def missing(self) -> tuple[WantedField, ...]:
        """The required fields without a usable value, in the schema's order."""
        values = self.gathered.values
        return tuple(
            field for field in self.fields if (field.required and field.name not in values) or field.name in self.faults
        )

    @cached_property
    def unusable(self) -> dict[str, str]:
        """What was written for missing fields and cannot be taken."""
        faulty = {name: str(self.gathered.values[name].value) for name in self.faults if name in self.gathered.values}
        return {**self.gathered.unclear, **faulty}

    @cached_property
    def noted(self) -> tuple[WantedField, ...]:
        """The fields that are settled."""
        return tuple(
            field for field in self.fields if field.name in self.gathered.values and field.name not in self.faults
        )

    @cached_property
    def is_complete(self) -> bool:
        """Whether the result that was gathered is what the schema asks for."""
        if self.schema is not None and self.schema.check(self.gathered.result):
            return False
        return self.gathered.has_whole or (bool(self.fields) and not self.missing)

    @cached_property
    def known_words(self) -> frozenset[str]:
        """The words of the matter itself: objective, names and fields with their choices."""
        view = self.view
        texts = [view.objective, view.counterparty_name, view.counterparty_company]
        texts += [view.persona.name, view.persona.company]
        for field in self.fields:
            texts += [field.name, field.label, humanize(field.name), *map(str, (*field.choices, *field.item_choices))]
        return list_known_words(texts)

    @cached_property
    def file_words(self) -> frozenset[str]:
        """What a file that the case is after may be called: "w9", "nda"; without names and words for any file."""
        view = self.view
        texts = [find_objective(view), *(field.label for field in self.fields if is_derived(field))]
        names = f"{view.counterparty_name} {view.counterparty_company} {view.persona.name} {view.persona.company}"
        words = {word for text in texts for word in re.findall(r"[^\W_]+(?:-[^\W_]+)*", fold(text))}
        words -= _ANY_FILE | set(re.findall(r"\w+", fold(names)))
        return frozenset(fold_letters(word) for word in words if len(word) >= 2)

    @cached_property
    def case_text(self) -> str:
        """What we have said and know about the matter, for comparing days and figures."""
        texts = [self.view.objective, *(f"{key}: {value}" for key, value in list_entries(self.view))]
        texts += [message.text for message in self.reading.ours]
        return "\n".join(texts)[:50_000]

    @cached_property
    def is_file_waived(self) -> bool:
        """Whether a human has said that the file is not needed or has come another way."""
        return any(waives_file(answer.question, answer.answer) for answer in self.view.human_answers)

    @cached_property
    def lacks_file(self) -> bool:
        """Whether the case is to collect a file, none has come from the counterparty, and no human goes without."""
        is_collected = collects_file(find_objective(self.view)) or any(
            field.required and is_derived(field) and wants_file(field.label) for field in self.fields
        )
        return is_collected and not self.reading.documents and not self.is_file_waived

    @cached_property
    def wants_file(self) -> bool:
        """Whether the objective or the schema is about a file."""
        texts = [self.view.objective, *(f"{field.label} {field.description}" for field in self.fields)]
        return any(wants_file(text) for text in texts) or any(is_derived(field) for field in self.fields)


def find_objective(view: CaseView) -> str:
    """Return the objective, or the newest human answer that says something where the objective does not."""
    if has_meaning(view.objective):
        return view.objective
    return next((answer.answer for answer in reversed(view.human_answers) if has_meaning(answer.answer)), "")

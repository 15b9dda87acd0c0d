"""Forms that are FHIR Questionnaires: drawn as accessible HTML, read back as QuestionnaireResponses.

In an endpoint::

    form = questionnaire.load(resource)                                   # once; texts in both languages
    shown = questionnaire.view(form, request.state.language)              # a new form, or values=write(form, response)
    return web.render(request, "room/page.html", form=shown)

    posted = await web.posted(request)
    values = questionnaire.values_of(posted.multi_items())
    reading = questionnaire.read(form, values)                            # reading.response, reading.errors
    if "more" in values or reading.errors:                                # one more row was asked for, or faults to mend
        shown = questionnaire.view(form, language, values, reading.errors, more=values.get("more", [None])[0])

In the template: ``{% import "questionnaire.html" as q %}`` and ``{{ q.form(form, action, page.csrf) }}``, and in block
``head`` the script ``asset("questionnaire.js")``, which shows and hides questions while one types; without it the
server still leaves out what is not enabled. Attachments are shown as not answerable here.
"""

from __future__ import annotations

from kangyun.base.web.questionnaire.answers import FieldError
from kangyun.base.web.questionnaire.model import Form, Question, load
from kangyun.base.web.questionnaire.reading import Reading, first_values, read, values_of, write
from kangyun.base.web.questionnaire.rendering import FieldView, FormView, view

__all__ = ["FieldError", "FieldView", "Form", "FormView", "Question", "Reading", "first_values", "load", "read", "values_of", "view", "write"]

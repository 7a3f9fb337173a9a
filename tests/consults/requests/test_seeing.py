"""Who sees what: requests, their answers, and what is kept for the asker."""

from tests.consults.asking import NO, YES, Asker
from tests.identity.people import Installation, Person
from tests.playground.conftest import Factory

from assay.identity.actor import Role, Scope


async def test_a_request_is_seen_by_who_may_answer_it(
    asker: Asker, reviewers: list[Asker], admin: Person, installation: Installation
) -> None:
    other = Asker(await installation.person(Role.viewer))
    anyone = await asker.ask()
    named = await asker.ask(assignees=[reviewers[0].id])
    editors = await asker.ask(assignee_role="editor")
    for who, seen in [
        (asker, [anyone, named, editors]),
        (Asker(admin), [anyone, named, editors]),
        (reviewers[0], [anyone, named]),
        (reviewers[1], [anyone]),
        (other, []),
    ]:
        listed = await who.listed(limit=200)
        for request in (anyone, named, editors):
            there = request in seen
            assert (request["id"] in listed) == there
            await who.read(request, 200 if there else 404)


async def test_what_is_in_a_project_is_for_its_people(
    installation: Installation, admin: Person, reviewers: list[Asker]
) -> None:
    make = Factory(admin.client, installation.database)
    project = (await make.project())["id"]
    inside, outside, _ = reviewers
    await installation.share(admin, project, inside.person, Role.reviewer)
    request = await Asker(admin).ask(project_id=project)
    assert (await inside.read(request))["may_answer"]
    await outside.read(request, 404)
    await outside.answer(request, YES, 404)
    problem = await Asker(admin).ask(422, project_id=project, assignees=[outside.id])
    assert "does not see the project" in problem["errors"][0]["message"]
    await outside.ask(422, project_id=project)
    key = await installation.with_key(inside.person, Scope.consults_write, project_id=project)
    made = await key.post("/api/v1/requests", json={"title": "?", "kind": "text"})
    assert made.json()["project_id"] == project
    elsewhere = await Asker(admin).ask()
    ids = [row["id"] for row in (await key.get("/api/v1/requests")).json()]
    assert request["id"] in ids
    assert elsewhere["id"] not in ids


async def test_who_only_views_a_project_answers_nothing_of_it(
    installation: Installation, admin: Person
) -> None:
    make = Factory(admin.client, installation.database)
    project = (await make.project())["id"]
    viewing = Asker(await installation.person(Role.editor))
    await installation.share(admin, project, viewing.person, Role.viewer)
    boss = Asker(admin)
    request = await boss.ask(project_id=project)
    await viewing.read(request, 404)
    await viewing.answer(request, YES, 404)
    assert request["id"] not in await viewing.listed(assignee="me", limit=200)
    problem = await boss.ask(422, project_id=project, assignees=[viewing.id])
    assert "is no reviewer in the project" in problem["errors"][0]["message"]
    # What they ask there themselves they see, and others have to answer.
    own = await viewing.ask(project_id=project)
    assert not (await viewing.read(own))["may_answer"]
    assert (await viewing.answer(own, YES, 403))["code"] == "not_assigned"
    await installation.share(admin, project, viewing.person, Role.reviewer)
    assert (await viewing.answer(request, YES))["status"] == "answered"


async def test_reviewers_do_not_see_what_is_for_the_asker(
    asker: Asker, reviewers: list[Asker], admin: Person
) -> None:
    url = "https://example.com/hook"
    request = await asker.ask(metadata={"trace": 1}, callback_url=url)
    mine = await asker.read(request)
    assert (mine["metadata"], mine["callback_url"]) == ({"trace": 1}, url)
    for who in (reviewers[0], Asker(admin)):
        theirs = await who.read(request)
        assert theirs["metadata"] is theirs["callback_url"] is None


async def test_reviewers_make_up_their_own_minds(asker: Asker, reviewers: list[Asker]) -> None:
    request = await asker.ask(quorum=3, rule="majority")
    first, second, third = reviewers
    answered = await first.answer(request, NO, comment="Too much")
    assert [each["value"] for each in answered["responses"]] == [NO]
    assert (await second.read(request))["responses"] == []
    hidden = [event["details"] for event in await second.events(request)]
    assert hidden == [{}, {}]
    told = (await asker.read(request))["responses"]
    assert [(each["user_id"], each["value"], each["comment"]) for each in told] == [
        (first.id, NO, "Too much")
    ]
    await second.answer(request, NO)
    assert len((await third.read(request))["responses"]) == 2
    assert [event["type"] for event in await third.events(request)] == [
        "request.created",
        "request.responded",
        "request.responded",
        "request.answered",
    ]


async def test_a_key_answers_nothing(reviewers: list[Asker], installation: Installation) -> None:
    request = await reviewers[0].ask()
    key = await installation.with_key(reviewers[0].person, Scope.consults_write)
    path = f"/api/v1/requests/{request['id']}"
    response = await key.post(f"{path}/respond", json={"value": YES})
    assert response.status_code == 403
    assert response.json()["code"] == "people_only"
    assert (await key.get(path)).json()["may_answer"] is False


async def test_lists_are_filtered_and_sorted(asker: Asker, reviewers: list[Asker]) -> None:
    reviewer = reviewers[0]
    mine = {"assignees": [reviewer.id], "agent_id": reviewer.id}
    late = await asker.ask(title="Late 100%", priority="urgent", deadline_in=900, **mine)
    soon = await asker.ask(title="Soon", priority="urgent", deadline_in=60, **mine)
    never = await asker.ask(title="Never", priority="urgent", **mine)
    low = await asker.ask(title="Low", description="100_percent", priority="low", **mine)
    ids = {row["id"]: row["title"] for row in (late, soon, never, low)}

    async def titles(**query: str | int) -> list[str]:
        return [ids[each] for each in await reviewer.listed(agent=reviewer.id, **query)]

    assert await titles() == ["Low", "Never", "Soon", "Late 100%"]
    assert await titles(sort="urgent") == ["Soon", "Late 100%", "Never", "Low"]
    assert await titles(priority="low") == ["Low"]
    assert await titles(text="100%") == ["Late 100%"]
    assert await titles(text="100_PER") == ["Low"]
    assert await titles(text="no such thing") == []
    assert len(await titles(assignee="me")) == len(await titles(assignee=reviewer.id)) == 4
    await reviewer.answer(low, YES)
    assert await titles(status="answered") == ["Low"]
    assert await titles(status="pending", sort="urgent") == ["Soon", "Late 100%", "Never"]
    seen = []
    url: str | None = f"/requests?agent={reviewer.id}&sort=urgent&limit=1"
    while url is not None:
        seen += [row["title"] for row in await reviewer.call("GET", url)]
        link = reviewer.headers.get("Link")
        url = link[1 : link.index(">")].removeprefix("/api/v1") if link else None
    assert seen == ["Soon", "Late 100%", "Never", "Low"]
    assert await asker.listed(agent=reviewer.id, text="x", limit=1) == []


async def test_comments_are_for_all_who_see_the_request(
    asker: Asker, reviewers: list[Asker], installation: Installation
) -> None:
    request = await asker.ask(assignees=[reviewers[0].id])
    path = f"/requests/{request['id']}/comments"
    await reviewers[0].call("POST", path, 201, {"text": "Which account?"})
    await asker.call("POST", path, 201, {"text": "The old one"})
    said = await reviewers[0].call("GET", path)
    assert [(each["name"], each["text"]) for each in said] == [
        (f"Reviewer {_number(reviewers[0])}", "Which account?"),
        (f"Viewer {_number(asker)}", "The old one"),
    ]
    await reviewers[1].call("POST", path, 404, {"text": "Me too"})
    await reviewers[1].call("GET", path, 404)
    await asker.call("POST", path, 422, {"text": ""})


def _number(who: Asker) -> str:
    return "".join(filter(str.isdigit, who.person.email))

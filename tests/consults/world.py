"""Requests for the walks over all routes."""

from assay.consults.requests.answers import answer_schema
from assay.consults.requests.models import ConsultationRequest, Kind, Priority
from assay.core.database import Database


async def make_requests_world(database: Database, user_id: str) -> dict[str, str]:
    """Requests to answer and to take back; gives ids by the names they have in paths."""
    async with database.session() as session:
        requests = [
            ConsultationRequest(
                title="Refund?",
                kind=Kind.approve,
                response_schema=answer_schema(Kind.approve),
                priority=Priority.medium,
                requested_by=user_id,
            )
            for _ in range(2)
        ]
        session.add_all(requests)
    answered, cancelled = (str(request.id) for request in requests)
    return {"request_id": answered, "other_request_id": cancelled}

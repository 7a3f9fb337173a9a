"""Types of columns that the tables of this room share."""

from typing import Annotated

from sqlalchemy import BigInteger, Identity, String, Text
from sqlalchemy.orm import mapped_column

Number = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
"""An id that is a number, which the contract has for some tables."""

AppId = Annotated[str, mapped_column(String(50))]
"""The app that a row belongs to, such as `voice-rx`."""

UserId = Annotated[str, mapped_column(String(100))]
"""The owner; `default` where nobody signs in."""

Str20 = Annotated[str, mapped_column(String(20))]
Str50 = Annotated[str, mapped_column(String(50))]
Str100 = Annotated[str, mapped_column(String(100))]
Str200 = Annotated[str, mapped_column(String(200))]
LongText = Annotated[str, mapped_column(Text)]

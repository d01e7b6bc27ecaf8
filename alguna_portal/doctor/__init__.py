"""A deployment examined: what `manage.py alguna_doctor` looks at, and what it says.

    rounds       the examinations in their order, and what happens where one fails
    visit        what they share: whether anybody may be asked, and how much time is left
    findings     what each of them says
    redaction    secrets taken out of whatever is said
    report, text what it comes to, for machines and for people

Each of the others is an examination with one function, `look`, or what one asks with: `asking` and `directory` Alguna,
`probing` anybody else, `tables` the database. Nothing is written anywhere: Alguna is only read from, what is put into
the cache is taken out again, and no mail is sent.
"""

"""An invoice as a PDF document."""

from io import BytesIO

from alguna_portal.sandbox.engine.types import JSON

from .branding import amount, day


def invoice_document(invoice: JSON, customer: JSON, *, brand_name: str, brand_color: str) -> bytes:
    """Return an invoice on one A4 page; raise ImportError where reportlab is not installed."""
    # Here, not above: only who downloads an invoice needs the library.
    from reportlab.lib.colors import HexColor
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    width, height = A4
    left, right = 60, width - 60
    stream = BytesIO()
    canvas = Canvas(stream, pagesize=A4)
    canvas.setTitle(f"Invoice {invoice['number']}")
    canvas.setAuthor(brand_name)
    canvas.setFillColor(HexColor(brand_color))
    canvas.rect(0, height - 24, width, 24, stroke=0, fill=1)
    canvas.setFillColor(HexColor("#111827"))
    canvas.setFont("Helvetica-Bold", 22)
    canvas.drawString(left, height - 90, f"Invoice {invoice['number']}")
    canvas.setFont("Helvetica", 11)
    facts = (
        ("From", brand_name),
        ("To", customer["name"]),
        ("Issued", day(invoice["issued_on"])),
        ("Due", day(invoice["due_on"])),
        ("Status", invoice["status"].capitalize()),
    )
    y = height - 130
    for label, value in facts:
        canvas.drawString(left, y, label)
        canvas.drawString(left + 80, y, value)
        y -= 18
    y -= 30
    for line in invoice["lines"]:
        cents = line["quantity"] * line["unit_cents"]
        canvas.drawString(left, y, f"{line['description']} ({line['quantity']})")
        canvas.drawRightString(right, y, amount(cents, invoice["currency"]))
        y -= 20
    canvas.line(left, y + 8, right, y + 8)
    canvas.setFont("Helvetica-Bold", 12)
    canvas.drawString(left, y - 12, "Total")
    canvas.drawRightString(right, y - 12, amount(invoice["total_cents"], invoice["currency"]))
    canvas.showPage()
    canvas.save()
    return stream.getvalue()

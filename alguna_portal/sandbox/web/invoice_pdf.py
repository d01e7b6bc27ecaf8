"""PDF invoices, made with reportlab."""

from io import BytesIO

from alguna_portal.sandbox.engine.types import JSON

from .display import add_display_values


def render_invoice_pdf(invoice: JSON, customer: JSON, *, brand_name: str, brand_color: str) -> bytes:
    """Return a PDF with one A4 page; raise ImportError if reportlab isn't installed."""
    # A local import, because reportlab is optional.
    from reportlab.lib.colors import HexColor
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    invoice = add_display_values(invoice)
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
        ("Issued", invoice["issued_date"]),
        ("Due", invoice["due_date"]),
        ("Status", invoice["status"].capitalize()),
    )
    y = height - 130
    for label, value in facts:
        canvas.drawString(left, y, label)
        canvas.drawString(left + 80, y, value)
        y -= 18
    y -= 30
    for line in invoice["lines"]:
        canvas.drawString(left, y, f"{line['description']} ({line['quantity']})")
        canvas.drawRightString(right, y, line["amount"])
        y -= 20
    canvas.line(left, y + 8, right, y + 8)
    canvas.setFont("Helvetica-Bold", 12)
    canvas.drawString(left, y - 12, "Total")
    canvas.drawRightString(right, y - 12, invoice["total_amount"])
    canvas.showPage()
    canvas.save()
    return stream.getvalue()

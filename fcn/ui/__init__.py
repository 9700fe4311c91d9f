"""The pages and their parts: with app.py, the only code that uses Streamlit."""

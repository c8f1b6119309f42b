"""The method on arrays: knows no AnnData, pandas, plotting or R."""

"""The page of a data set, its charts, images and videos."""

-- By what a recall's score was multiplied because a job got the same memory shortly before; 1 where it was not. NULL: from before this
-- was kept.
ALTER TABLE recalls ADD COLUMN factor REAL;

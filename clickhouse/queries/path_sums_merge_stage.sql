-- Makes one part of the partition: a report opens each part of its days.
-- stage   name of the table
OPTIMIZE TABLE {stage:Identifier} FINAL

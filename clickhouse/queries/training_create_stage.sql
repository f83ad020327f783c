-- One row per journey of a training, new for each. customer is the key of the Poisson bootstrap (datadriven/bootstrap.py).
-- stage
CREATE TABLE {stage:Identifier}
(
    customer   UInt64,
    path       Array(LowCardinality(String)),
    converted  UInt8
)
ENGINE = MergeTree
ORDER BY tuple()

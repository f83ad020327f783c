-- One row per journey of a training, new for each; times are those of the touches, microseconds since the epoch. customer is the key of the Poisson bootstrap; weights, computed when they
-- are read, say how often each replicate takes the customer: a Poisson(1) number that is a hash of the customer and of the
-- number of the replicate (datadriven/bootstrap.py).
-- stage; replicates: how many; thresholds: of the Poisson distribution
CREATE TABLE {stage:Identifier}
(
    customer   UInt64,
    path       Array(LowCardinality(String)),
    times      Array(Int64),
    converted  UInt8,
    weights    Array(UInt64) ALIAS
        arrayMap(
            word -> arrayCount(threshold -> word >= threshold, {thresholds:Array(UInt64)}),
            arrayMap(
                word -> bitXor(word, bitShiftRight(word, 31)),
                arrayMap(
                    word -> bitXor(word, bitShiftRight(word, 27)) * toUInt64(10723151780598845931),
                    arrayMap(
                        word -> bitXor(word, bitShiftRight(word, 30)) * toUInt64(13787848793156543929),
                        arrayMap(
                            number -> customer + toUInt64(11400714819323198485) * toUInt64(number + 1),
                            range({replicates:UInt32})
                        )
                    )
                )
            )
        )
)
ENGINE = MergeTree
ORDER BY tuple()

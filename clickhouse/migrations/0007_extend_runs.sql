-- A run is made by a worker that is told its parameters by the environment (`live`), or by a replay.
-- status       running (also: interrupted, the same command goes on), complete, failed, dropped; '' = complete
-- source       topics or facts; '' = topics
-- group_id     consumer group that feeds the run; '' = none, or the one of the environment
-- from_us      conversions from this time on are in the run, and before to_us; 0 = no bound
-- plan         what a replay has to do and has done, JSON: {"ends": {topic: {partition: offset}}} or {"buckets": n, "finished": [...]}
-- done, total  records of the topics, or rows of the facts
ALTER TABLE runs
    ADD COLUMN IF NOT EXISTS status LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS group_id String DEFAULT '',
    ADD COLUMN IF NOT EXISTS from_us Int64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS to_us Int64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS plan String DEFAULT '',
    ADD COLUMN IF NOT EXISTS done UInt64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS total UInt64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS detail String DEFAULT '',
    ADD COLUMN IF NOT EXISTS created_us Int64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS finished_us Int64 DEFAULT 0;

-- Who is one person: each linked id with the smallest id that its links lead to, through however many. Ids without a link
-- are not in it. Large-star and small-star in turns until nothing changes (Kiveris et al., Connected Components in MapReduce
-- and Beyond, SoCC 2014). Each turn reads the edges once; a > b in all of them.
CREATE OR REPLACE VIEW linked_ids AS
WITH RECURSIVE
    stars AS
    (
        SELECT
            toUInt8(0) AS turn, greatest(previous_id, customer_id) AS a, least(previous_id, customer_id) AS b,
            toUInt64(0) AS former, toUInt64(1) AS own
        FROM identities FINAL
        WHERE previous_id != customer_id

        UNION ALL

        SELECT turn, edge.1 AS a, edge.2 AS b, former, sum(cityHash64(edge)) OVER () AS own
        FROM
        (
            SELECT
                turn, former, arrayMin(below) AS low,
                arrayJoin(arrayPushBack(arrayMap(v -> (v, low), arrayFilter(v -> v != low, below)), (u, low))) AS edge
            FROM
            (
                SELECT turn, former, lower.1 AS u, groupUniqArray(lower.2) AS below
                FROM
                (
                    SELECT
                        turn, former, least(u, arrayMin(around)) AS low,
                        arrayJoin(arrayMap(v -> (v, low), arrayFilter(v -> v > u, around))) AS lower
                    FROM
                    (
                        SELECT turn + 1 AS turn, own AS former, pair.1 AS u, groupUniqArray(pair.2) AS around
                        FROM
                        (
                            SELECT turn, own, arrayJoin([(a, b), (b, a)]) AS pair
                            FROM stars
                            WHERE own != former AND turn < 60
                        )
                        GROUP BY turn, former, u
                    )
                )
                GROUP BY turn, former, u
            )
        )
    )
SELECT a AS id, argMax(b, turn) AS person
FROM stars
GROUP BY a;

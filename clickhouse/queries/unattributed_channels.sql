-- Every channel that a touch names. No parameters.
SELECT DISTINCT toString(channel) AS of_channel FROM touchpoints SETTINGS max_threads = 2

-- A version above all that were given, by the server's clock. No parameters.
SELECT greatest(toUInt64(toUnixTimestamp64Micro(now64(6))), max(version) + 1) AS version FROM fx_rates

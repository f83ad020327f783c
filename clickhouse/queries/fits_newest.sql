-- Fits of the data-driven model, the one that counts last first. limit: how many
SELECT parameters
FROM model_fits FINAL
ORDER BY effective_from DESC, version DESC
LIMIT {limit:UInt32}

"""The wire: Avro files, topics, golden examples, one codec for JSON and Avro."""

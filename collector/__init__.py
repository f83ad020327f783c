"""Messages of other tools' SDKs as events of our wire: Segment's spec, which RudderStack shares, and GA4's protocol.

Pure: no IO, no clock; the time of receipt is a parameter. What a message becomes is in docs/collector.md.
"""

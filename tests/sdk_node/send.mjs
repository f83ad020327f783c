// Sends the messages of standard input with Segment's SDK for node, in one batch, and ends when they are delivered.
// SDK_HOME: the folder with node_modules. HOST, WRITE_KEY: where to, and as whom.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const { Analytics } = createRequire(`${process.env.SDK_HOME}/`)("@segment/analytics-node");
const messages = JSON.parse(await text(process.stdin));
const analytics = new Analytics({
  writeKey: process.env.WRITE_KEY,
  host: process.env.HOST,
  flushAt: messages.length,
  maxRetries: 0,
});
analytics.on("error", (error) => {
  console.error(error.code, error.reason);
  process.exitCode = 1;
});
for (const { type, timestamp, ...message } of messages) {
  analytics[type]({ ...message, timestamp: new Date(timestamp) });
}
await analytics.closeAndFlush({ timeout: 20000 });

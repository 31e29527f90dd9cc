// The official `stripe` package of npm as a client, found in the working directory. The body comes on standard input.
//
// stripe_node.mjs post URL SECRET       signs the body, posts it, prints the status
// stripe_node.mjs verify SECRET HEADER  fails unless the header signs the body; prints the event's id

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const stripe = createRequire(`${process.cwd()}/`)("stripe");
const { webhooks } = new stripe("sk_test_123");
const payload = readFileSync(0);
const [what, ...words] = process.argv.slice(2);

if (what === "post") {
  const [url, secret] = words;
  const signature = webhooks.generateTestHeaderString({ payload: payload.toString(), secret });
  const headers = { "Content-Type": "application/json", "Stripe-Signature": signature };
  const answer = await fetch(url, { method: "POST", body: payload, headers });
  console.log(answer.status);
} else if (what === "verify") {
  const [secret, header] = words;
  console.log(webhooks.constructEvent(payload, header, secret).id);
} else {
  throw new Error(`unknown: ${what}`);
}

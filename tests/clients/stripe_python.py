"""The official `stripe` package of PyPI as a client. The body comes on standard input.

stripe_python.py post URL SECRET       signs the body, posts it, prints the status
stripe_python.py verify SECRET HEADER  fails unless the header signs the body; prints the event's id
"""

import sys
import urllib.error
import urllib.request

import stripe

body = sys.stdin.buffer.read()
match sys.argv[1:]:
    case ["post", url, secret]:
        header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret)
        headers = {"Content-Type": "application/json", "Stripe-Signature": header}
        request = urllib.request.Request(url, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                print(answer.status)
        except urllib.error.HTTPError as error:
            print(error.code)
    case ["verify", secret, header]:
        print(stripe.Webhook.construct_event(body, header, secret).id)
    case other:
        sys.exit(f"unknown: {other}")

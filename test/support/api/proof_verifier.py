"""Verifies DPoP proofs (RFC 9449 section 4.3) with the cryptography package: a second opinion, in another language, that shares nothing with
the gateway. Reads one JSON object per line, writes one line for each: the key's thumbprint, or "refused: " and what is wrong."""

import base64
import hashlib
import json
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

used = set()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def verify(received):
    head, body, signature = received["proof"].split(".")
    header, claims, raw = json.loads(decode(head)), json.loads(decode(body)), decode(signature)
    jwk = header["jwk"]
    if header["typ"] != "dpop+jwt" or header["alg"] != "ES256" or "d" in jwk or len(raw) != 64:
        raise ValueError("header")
    numbers = [int.from_bytes(decode(jwk[name]), "big") for name in ("x", "y")]
    key = ec.EllipticCurvePublicNumbers(*numbers, ec.SECP256R1()).public_key()
    pair = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(pair, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    if claims["htm"] != received["method"]:
        raise ValueError("htm")
    if claims["htu"] != received["url"].split("?")[0]:
        raise ValueError("htu")
    if abs(time.time() - claims["iat"]) > 60:
        raise ValueError("iat")
    if claims["ath"] != encode(hashlib.sha256(received["accessToken"].encode()).digest()):
        raise ValueError("ath")
    if claims["jti"] in used:
        raise ValueError("jti")
    used.add(claims["jti"])
    members = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return encode(hashlib.sha256(members.encode()).digest())


for line in sys.stdin:
    try:
        print(verify(json.loads(line)), flush=True)
    except (ValueError, KeyError, InvalidSignature) as error:
        print(f"refused: {str(error) or type(error).__name__}", flush=True)

// JSON in, without losing digits: an integer that a double cannot hold becomes a BigInt (where the
// browser tells the source text; elsewhere it stays a number and is refused as money later).

/** The parsed text, or null when it is not JSON. */
export function parseJson(text) {
  try {
    return JSON.parse(text, exact);
  } catch {
    return null;
  }
}

function exact(_key, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

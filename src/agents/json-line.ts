/**
 * A message as one line of JSON. Some agents read their lines with Node's `readline`, which ends one at
 * U+2028 and U+2029 too: half a message is none.
 */
export function writeLine(message: object): string {
  return JSON.stringify(message).replace(/[\u2028\u2029]/g, end =>
    end === '\u2028' ? '\\u2028' : '\\u2029',
  )
}

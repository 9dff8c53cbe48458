/** What stands between an escape and the end of what it begins: a title and such, or a command. */
const SEQUENCE = String.raw`(?:\u001b[\]P^_X][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|\u001b[ -/]*[0-~]?)`

/** Line ends and tabs stay. */
const CONTROL = String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]`

const unwanted = new RegExp(`${SEQUENCE}|${CONTROL}`, 'g')

/** What others say, for people: nothing in it commands a terminal or turns the direction of writing. */
export function plainText(text: string): string {
  return text.replace(unwanted, '')
}

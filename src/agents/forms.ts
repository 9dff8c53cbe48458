/** What is asked as a form, with fields to be filled in: for people, and as they answer it. */
import * as z from 'zod/mini'
import { maybe } from './loose.ts'

/** Forms are stored at every look, and read by people. */
const FIELDS_KEPT = 20

export interface FormField {
  readonly name: string
  readonly type: string
  /** What may be chosen; none: any words. */
  readonly values: readonly string[]
}

const YES_OR_NO = ['yes', 'no']

const field = z.looseObject({
  type: maybe(z.string()),
  enum: maybe(z.array(z.string())),
})

const form = z.looseObject({ properties: z.record(z.string(), field) })

/** Of a form's JSON Schema; none where it is not one that we understand. */
export function fieldsOf(schema: unknown): readonly FormField[] {
  const properties = Object.entries(z.safeParse(form, schema).data?.properties ?? {})
  return properties.slice(0, FIELDS_KEPT).map(([name, { type, enum: values }]) => ({
    name,
    type: type ?? 'string',
    values: (values ?? []).slice(0, FIELDS_KEPT),
  }))
}

/** The question, and what may be chosen where there is but one field. */
export function askForm(
  text: string,
  fields: readonly FormField[],
): { readonly text: string; readonly options: readonly { id: string; label: string }[] } {
  const [only, more] = fields
  if (more === undefined) {
    const values = only?.values.length === 0 && only.type === 'boolean' ? YES_OR_NO : only?.values
    const isNumber = only?.type === 'number' || only?.type === 'integer'
    return {
      text: isNumber ? `${text} [a ${only.type === 'number' ? '' : 'whole '}number]` : text,
      options: (values ?? []).map(value => ({ id: value, label: value })),
    }
  }
  const names = fields.map(({ name, type }) => `${name} (${type})`).join(', ')
  return { text: `${text} [as JSON: ${names}]`, options: [] }
}

/** The content of a form by an answer in words; undefined: it is no answer to this. */
export function fillIn(fields: readonly FormField[], answer: string): object | undefined {
  const [only, more] = fields
  if (only === undefined) return {}
  return more === undefined ? readField(only, answer) : readFields(fields, answer)
}

function readField({ name, type, values }: FormField, answer: string) {
  const words = answer.trim()
  if (values.length > 0) {
    const value =
      values.find(one => one === answer) ?? values.find(one => fold(one) === fold(words))
    return value === undefined ? undefined : { [name]: value }
  }
  if (type === 'boolean') {
    if (/^(?:y|yes|true)$/i.test(words)) return { [name]: true }
    return /^(?:n|no|false)$/i.test(words) ? { [name]: false } : undefined
  }
  if (type === 'number' || type === 'integer') {
    const number = words === '' ? Number.NaN : Number(words)
    const isSound = type === 'number' ? Number.isFinite(number) : Number.isSafeInteger(number)
    return isSound ? { [name]: number } : undefined
  }
  return { [name]: answer }
}

function readFields(fields: readonly FormField[], answer: string) {
  try {
    const value: unknown = JSON.parse(answer)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return Object.keys(value).every(key => fields.some(({ name }) => name === key))
      ? value
      : undefined
  } catch {
    return undefined // no JSON: it is no answer to this
  }
}

/** Words as they are compared. */
export const fold = (words: string) => words.trim().toLowerCase()

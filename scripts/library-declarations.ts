/**
 * The type declarations of the library, whole in one file: nobody who imports it needs the packages
 * that our schemas are written with.
 */
import { readFileSync } from 'node:fs'
import * as z from 'zod/mini'
import { views } from '../src/surfaces/view.ts'

type Schema = z.core.JSONSchema.BaseSchema

const read = (path: string) => readFileSync(new URL(`../src/${path}`, import.meta.url), 'utf8')

export function libraryDeclarations(): string {
  const contract = read('surfaces/library/contract.ts')
  return `// Written by \`scripts/build.mjs\`.
${codes()}
export declare class AppError extends Error implements Refusal {
  readonly name: 'AppError'
  readonly code: RefusalCode
  readonly hint: string | undefined
  constructor(code: RefusalCode, message: string, options?: { hint?: string; cause?: unknown })
}

export declare function connect(options?: ConnectOptions): Connection

${contract.replace(/^import type [\s\S]*?\n(?=\n)/m, '').replace(/^\/\*\*[\s\S]*?\*\/\n/, '')}
${viewTypes(contract)}`
}

function codes(): string {
  const found = /export type RefusalCode =\n(?: {2}\| '\w+'\n)+/.exec(read('domain/errors.ts'))?.[0]
  if (found === undefined) throw new Error('the codes of refusals are not where they were')
  return found
}

/** The documents that the contract names, and those that they are made of. */
function viewTypes(contract: string): string {
  const named = Object.entries(views).map(([view, schema]) => {
    const type = `${view.charAt(0).toUpperCase()}${view.slice(1)}View`
    return { type, schema: z.toJSONSchema(schema as z.ZodMiniType) as Schema }
  })
  const names = new Map(named.map(({ type, schema }) => [keyOf(schema), type]))
  const used = named.filter(({ type }) => new RegExp(`\\b${type}\\b`).test(contract))
  const written = new Map<string, string>()
  for (const { type, schema } of used) written.set(type, typeOf(schema, names, 0))
  for (const { type, schema } of named) {
    const isNamed = [...written.values()].some(text => new RegExp(`\\b${type}\\b`).test(text))
    if (isNamed && !written.has(type)) written.set(type, typeOf(schema, names, 0))
  }
  return [...written].map(([type, text]) => `export type ${type} = ${text}\n`).join('\n')
}

function keyOf({ $schema: _, ...schema }: Schema): string {
  return JSON.stringify(schema)
}

/** At `depth` 0 a document is written out; below, one that has a name is named. */
function typeOf(schema: Schema, names: ReadonlyMap<string, string>, depth: number): string {
  const name = depth === 0 ? undefined : names.get(keyOf(schema))
  if (name !== undefined) return name
  if (schema.enum !== undefined) return schema.enum.map(value => JSON.stringify(value)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  const some = schema.anyOf ?? schema.oneOf
  if (some !== undefined) {
    return some.map(one => typeOf(one as Schema, names, depth + 1)).join(' | ')
  }
  if (Array.isArray(schema.type)) return schema.type.join(' | ')
  switch (schema.type) {
    case 'object':
      return objectType(schema, names, depth)
    case 'array':
      return `Array<${typeOf(schema.items as Schema, names, depth + 1)}>`
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type
    default:
      throw new Error(`no type is known for ${JSON.stringify(schema)}`)
  }
}

function objectType(schema: Schema, names: ReadonlyMap<string, string>, depth: number): string {
  const indent = '  '.repeat(depth + 1)
  const required = schema.required ?? []
  const lines = Object.entries(schema.properties ?? {}).map(([key, value]) => {
    const mark = required.includes(key) ? '' : '?'
    return `${indent}${key}${mark}: ${typeOf(value as Schema, names, depth + 1)}\n`
  })
  const isOpen = schema.additionalProperties !== false
  if (isOpen) lines.push(`${indent}[key: string]: unknown\n`)
  return `{\n${lines.join('')}${'  '.repeat(depth)}}`
}

/** The marketplace that this package is: a file that lists its plugins, one for each sort of host. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { digestOf } from './skill.ts'

const schema = z.object({
  name: z.string(),
  plugins: z.array(
    z.object({
      name: z.string(),
      source: z.union([z.string(), z.object({ path: z.string() })]),
      tags: z.optional(z.array(z.string())),
    }),
  ),
})

/** The tag of a plugin that changes more than what its commands do: its user adds it, and not `setup`. */
const OPT_IN = 'opt-in'

export interface Catalogue {
  readonly name: string
  /** What each of the plugins that `setup` adds is called there, `plugin@marketplace`, and where its files are. */
  readonly plugins: ReadonlyMap<string, string>
}

/** Undefined: the package has none at that path. */
export function readCatalogue(root: string, path: string): Catalogue | undefined {
  const file = join(root, path)
  if (!existsSync(file)) return undefined
  const { name, plugins } = schema.parse(JSON.parse(readFileSync(file, 'utf8')))
  return {
    name,
    plugins: new Map(
      plugins.flatMap(plugin => {
        const { source, tags = [] } = plugin
        const directory = typeof source === 'string' ? source : source.path
        return tags.includes(OPT_IN) ? [] : [[`${plugin.name}@${name}`, join(root, directory)]]
      }),
    ),
  }
}

/** One digest of all files in a directory, names and contents. */
export function digestOfTree(directory: string): string {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  const files = names.filter(name => statSync(join(directory, name)).isFile())
  return digestOf(
    files.map(name => `${name} ${digestOf(readFileSync(join(directory, name)))}`).join('\n'),
  )
}

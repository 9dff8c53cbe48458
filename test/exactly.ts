import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Every path below a checkout but its `.git`, directories too: kind, permissions and bytes. */
export function exactly({ root }: { readonly root: string }): Map<string, string> {
  const found = new Map<string, string>()
  const walk = (prefix: Buffer) => {
    const directory = Buffer.concat([Buffer.from(`${root}/`), prefix])
    for (const name of readdirSync(directory, { encoding: 'buffer' })) {
      const path = Buffer.concat([prefix, name])
      const place = Buffer.concat([Buffer.from(`${root}/`), path])
      const text = path.toString('latin1')
      if (text === '.git') continue
      const stats = lstatSync(place)
      const mode = (stats.mode & 0o777).toString(8)
      if (stats.isDirectory()) {
        found.set(`${text}/`, mode)
        walk(Buffer.concat([path, Buffer.from('/')]))
      } else if (stats.isSymbolicLink()) {
        found.set(text, `link ${readlinkSync(place, { encoding: 'latin1' })}`)
      } else if (stats.isFile())
        found.set(text, `${mode} ${readFileSync(place).toString('latin1')}`)
      else found.set(text, 'special')
    }
  }
  walk(Buffer.alloc(0))
  return new Map([...found].sort())
}

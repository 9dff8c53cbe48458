// Writes the generated references. `npm run docs`; a test fails where they have drifted.
import { mkdirSync, writeFileSync } from 'node:fs'
import { references } from './references.ts'

for (const [path, text] of Object.entries(await references())) {
  const file = new URL(`../${path}`, import.meta.url)
  mkdirSync(new URL('.', file), { recursive: true })
  writeFileSync(file, text)
}

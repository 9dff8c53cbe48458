// Writes the generated references. `npm run docs`; a test fails where they have drifted.
import { writeFileSync } from 'node:fs'
import { references } from './references.ts'

for (const [path, text] of Object.entries(await references())) {
  writeFileSync(new URL(`../${path}`, import.meta.url), text)
}

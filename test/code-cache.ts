import { fileURLToPath } from 'node:url'

/**
 * Each test has a state directory of its own, and what V8 made of the program would be made anew in
 * each: half of the time of a short command.
 */
export const CODE_CACHE = {
  HOLDFAST_CODE_CACHE: fileURLToPath(
    new URL('../node_modules/.cache/holdfast-code', import.meta.url),
  ),
}

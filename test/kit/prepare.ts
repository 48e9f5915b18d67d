/**
 * Runs before the tests: makes the Python environments that they need, which may take longer than a test has. What cannot
 * be made is said by the test that misses it.
 */
import { environments, findPython } from "./python-environment.ts";

for (const name of Object.keys(environments) as (keyof typeof environments)[]) {
  try {
    findPython(name);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
  }
}

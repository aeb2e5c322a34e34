// `limn` from source in a process of its own, so that it can be killed.
import { runCli } from '../src/cli.js';

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: new AbortController().signal,
});

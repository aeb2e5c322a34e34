#!/usr/bin/env node
// The `limn` command: everything is in ../dist/cli.js, made by `npm run build`.
import { main } from '../dist/cli.js';

process.exitCode = await main(process.argv.slice(2));

// What is written down about a graph that came from a file: whose it is, and what of it could not be taken as it stood.
import { list, object, record, text, whole } from '../schema.js';

const name = text({ longest: 1000 });

export const importedSchema = object(
  {
    /** The name of the file, and the SHA-256 of its bytes. */
    file: name,
    sha256: text({ pattern: /^[0-9a-f]{64}$/ }),
    /** Ids that an error and a feature shared, the id that the error has here, and the links that could be of either, which are left out. */
    collisions: list(object({ id: name, renamed: name, links: whole() }), { most: 20_000 }),
    /** Nodes of types that have no place in a graph here. */
    leftOutNodes: list(object({ type: name, count: whole() }), { most: 1000 }),
    /** Links of such nodes, and links that lead to no target or not upwards. */
    leftOutLinks: whole(),
    versions: record(text({ longest: 200 })),
    /** What was typed. */
    commandLine: text({ longest: 20_000 }),
  },
  {
    /** How features are numbered in the file. */
    numbering: name,
    /** As the file says. */
    generator: name,
    creator: name,
    description: text(),
  },
);

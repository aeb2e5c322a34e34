// Writes the generated files of the model folder: npx tsx -C limn-source scripts/write-model-files.ts
import { writeFile } from 'node:fs/promises';
import { RECIPE, modelFiles, modelFolder } from '../src/index.js';

for (const [name, text] of Object.entries(modelFiles(RECIPE.model))) {
  await writeFile(new URL(name, modelFolder()), text);
}

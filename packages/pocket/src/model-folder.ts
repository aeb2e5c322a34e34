// Where the committed model folder lies: a file: URL under Node, the address beside the module in a browser.

/** The folder that holds config.json, model.safetensors and the tokenizer files; ends in '/'. */
export function modelFolder(): URL {
  return new URL('../model/', import.meta.url);
}

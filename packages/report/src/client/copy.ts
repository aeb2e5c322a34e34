// A button that copies text and says so for two seconds.

export function copyButton(button: HTMLButtonElement | null, text: () => string): void {
  if (!button) return;
  const label = button.textContent;
  button.addEventListener('click', async () => {
    const done = await copy(text());
    button.textContent = done ? 'Copied' : 'Select and copy by hand';
    setTimeout(() => (button.textContent = label), 2000);
  });
}

/** Pages opened as files have no clipboard interface in some browsers: a hidden text field serves there. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'spoken';
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}

// Elements of the page. Text is inserted as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

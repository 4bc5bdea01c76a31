// The node as the page sees it: one function for each question.

/** The error that a problem answer (RFC 9457) describes. */
export async function problem(response) {
  let detail = response.statusText;
  try {
    detail = (await response.json()).detail;
  } catch {
    // Not a problem document; the status has to do.
  }
  const error = new Error(detail);
  error.status = response.status;
  return error;
}

async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null);
  const response = await fetch(`/api/${path}?${new URLSearchParams(given)}`);
  if (!response.ok) throw await problem(response);
  return { answer: await response.json(), cursor: response.headers.get("atoll-cursor") };
}

export const status = async () => (await get("status")).answer;

export const spaces = async () => (await get("spaces")).answer.items;

/** A page of a directory's children, and the cursor it shows. */
export async function tree(space, path, since = null) {
  const { answer, cursor } = await get("tree", { space, path, since, limit: 500 });
  return { ...answer, cursor };
}

export function downloadUrl(space, path) {
  return `/api/file/download?${new URLSearchParams({ space, path })}`;
}

/** Follows a space from a cursor; the browser reconnects by itself. */
export function follow(space, since) {
  return new EventSource(`/api/changes?${new URLSearchParams({ space, since, latest: 1 })}`);
}

// Redeems the link: its token stands after `#`, which browsers never send, so
// it reaches the node only when a person presses the button.

import { problem } from "/web/api.js";

const form = document.querySelector("#link");
const notice = document.querySelector("#notice");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = location.hash.slice(1);
  try {
    const response = await fetch("/link", { method: "POST", body: `token=${token}` });
    if (!response.ok) throw await problem(response);
    location.replace("/");
  } catch (error) {
    notice.textContent = `${error.message}. Ask for a new link: atoll invite --link`;
    notice.hidden = false;
  }
});

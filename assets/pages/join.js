// Shows whom an invitation is for, and leads on with the token behind the #.
const token = location.hash.slice(1);
for (const e of document.querySelectorAll(".link")) e.textContent = location.href;
for (const id of ["publish", "watch"]) document.getElementById(id).href = id + location.hash;
try {
  const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
  const grant = JSON.parse(new TextDecoder().decode(bytes));
  document.getElementById("who").textContent =
    `${grant.name} may join room ${grant.room} as ${grant.role}, until ${new Date(grant.exp * 1000).toLocaleString()}.`;
} catch {
  document.getElementById("who").textContent = "The invitation cannot be read: copy the whole link.";
}

const session = await (await fetch('/api/session')).json();
document.getElementById('page').textContent = `${location.pathname}: ${session.name ?? 'anonymous'}`;

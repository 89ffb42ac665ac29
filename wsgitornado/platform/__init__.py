"""What old programs import to run on asyncio, as all loops here do."""
